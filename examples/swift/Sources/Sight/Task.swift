import Foundation

/// A thing that was found; sides are fractions of the picture.
public struct Box {
    public let label: String
    public let probability: Double
    public let left, top, right, bottom: Double
}

/// What a network says of a picture.
public enum Answer {
    /// Every label with its probability, the best first.
    case labels([(label: String, probability: Double)])
    /// What was found, the surest first.
    case boxes([Box])
    /// The class of each pixel, row by row; class 0 is the background.
    case mask(classes: [Int], width: Int, height: Int, labels: [String])
    /// A vector of length 1: two pictures are as alike as the product of theirs.
    case vector([Double])
}

/// What the numbers of a package mean.
enum Task: String {
    case classify, detect, segment, embed

    /// Whether the picture is stretched, so that no place in it is lost.
    var whole: Bool { self == .detect || self == .segment }

    func read(_ numbers: [Double], _ shape: [Int], _ card: Card) throws -> Answer {
        switch self {
        case .classify: return labels(numbers, card)
        case .detect: return boxes(numbers, card)
        case .segment: return try mask(numbers, shape, card)
        case .embed: return .vector(numbers)
        }
    }

    /// Scores of each class, or probabilities, (1, classes).
    private func labels(_ scores: [Double], _ card: Card) -> Answer {
        let most = scores.max() ?? 0
        let powers = scores.map { card.probabilities ? $0 : exp($0 - most) }
        let sum = powers.reduce(0, +)
        return .labels(zip(card.labels, powers.map { $0 / sum }).map { ($0, $1) }.sorted { $0.1 > $1.1 })
    }

    /// Rows of left, top, right, bottom, probability and class, (1, boxes, 6).
    private func boxes(_ numbers: [Double], _ card: Card) -> Answer {
        let rows = stride(from: 0, to: numbers.count, by: 6).map { Array(numbers[$0..<$0 + 6]) }
        let sure = rows.filter { $0[4] > card.sure }.sorted { $0[4] > $1[4] }
        return .boxes(sure.map {
            Box(label: card.labels[Int($0[5].rounded())], probability: $0[4],
                left: $0[0], top: $0[1], right: $0[2], bottom: $0[3])
        })
    }

    /// The class of each pixel, (1, height, width).
    private func mask(_ numbers: [Double], _ shape: [Int], _ card: Card) throws -> Answer {
        guard shape.count == 3 else { throw Failure("export the package with --mask-size input") }
        let classes = numbers.map { Int($0.rounded()) }
        return .mask(classes: classes, width: shape[2], height: shape[1], labels: card.labels)
    }
}
