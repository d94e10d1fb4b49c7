import CoreGraphics
import CoreML
import Foundation

/// An exported .mlpackage in Core ML.
public final class Network {
    private let model: MLModel
    private let card: Card
    private let task: Task

    /// Compiles the package, which takes a moment.
    public init(package: URL) async throws {
        model = try MLModel(contentsOf: try await MLModel.compileModel(at: package))
        card = try Card(of: model)
        guard let known = Task(rawValue: card.task) else { throw Failure("there is no task \(card.task)") }
        task = known
    }

    /// What it says of a picture.
    public func look(_ image: CGImage) throws -> Answer {
        let how = card.preprocessing
        let shape = [1, 3, how.height, how.width].map { NSNumber(value: $0) }
        let input = try MLMultiArray(shape: shape, dataType: .float32)
        let values = try prepared(image, how, whole: task.whole)
        for (place, value) in values.enumerated() { input[place] = NSNumber(value: value) }
        let features = try MLDictionaryFeatureProvider(dictionary: ["image": input])
        guard let output = try model.prediction(from: features).featureValue(for: "scores")?.multiArrayValue else {
            throw Failure("the package gives nothing")
        }
        let numbers = (0..<output.count).map { output[$0].doubleValue }
        return try task.read(numbers, output.shape.map(\.intValue), card)
    }
}
