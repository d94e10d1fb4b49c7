import CoreGraphics
import CoreML
import Foundation

/// An exported .mlpackage in Core ML.
public final class Classifier {
    private let model: MLModel
    private let card: Card

    /// Compiles the package, which takes a moment.
    public init(package: URL) async throws {
        model = try MLModel(contentsOf: try await MLModel.compileModel(at: package))
        card = try Card(of: model)
    }

    /// Every label with its probability, the best first.
    public func classify(_ image: CGImage) throws -> [(label: String, probability: Double)] {
        let how = card.preprocessing
        let shape = [1, 3, how.height, how.width].map { NSNumber(value: $0) }
        let input = try MLMultiArray(shape: shape, dataType: .float32)
        for (place, value) in try prepared(image, how).enumerated() { input[place] = NSNumber(value: value) }
        let features = try MLDictionaryFeatureProvider(dictionary: ["image": input])
        guard let scores = try model.prediction(from: features).featureValue(for: "scores")?.multiArrayValue else {
            throw Failure("the package gives no scores")
        }
        let raw = (0..<scores.count).map { scores[$0].doubleValue }
        let most = raw.max() ?? 0
        let shares = raw.map { exp($0 - most) }
        let sum = shares.reduce(0, +)
        return zip(card.labels, shares.map { $0 / sum }).map { ($0, $1) }.sorted { $0.1 > $1.1 }
    }
}
