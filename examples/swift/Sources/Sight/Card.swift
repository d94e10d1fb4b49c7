import CoreML
import Foundation

/// What the network saw while it was trained: sizes in pixels, mean and std of colors from 0 to 1.
struct Preprocessing: Decodable {
    let size: [Int]
    let mean: [Float]
    let std: [Float]
    let crop: Double
    let interpolation: String

    var height: Int { size[0] }
    var width: Int { size[1] }
    var bicubic: Bool { interpolation == "bicubic" }
}

/// What an exported package says of itself: each fact is JSON in its metadata.
struct Card {
    let task: String
    let labels: [String]
    let sure: Double  // boxes below this probability are not worth telling
    let preprocessing: Preprocessing
    let probabilities: Bool  // it gives them, not scores

    init(of model: MLModel) throws {
        let facts = model.modelDescription.metadata[.creatorDefinedKey] as? [String: String] ?? [:]
        func read<Fact: Decodable>(_ name: String) throws -> Fact {
            guard let text = facts[name] else { throw Failure("the package does not tell \(name)") }
            return try JSONDecoder().decode(Fact.self, from: Data(text.utf8))
        }
        task = try read("task")
        labels = try read("labels")
        sure = facts["sure"] == nil ? 0 : try read("sure")
        preprocessing = try read("preprocessing")
        probabilities = facts["gives"] == "\"probabilities\""
    }
}

/// Why a picture cannot be looked at.
public struct Failure: LocalizedError {
    public let errorDescription: String?
    init(_ why: String) { errorDescription = why }
}
