import CoreGraphics

/// Colors of a picture, 0 to 255, row by row, three a pixel.
private struct Pixels {
    var width: Int
    var height: Int
    var values: [UInt8]
}

/// The picture resized with antialiasing and normalized: 3 x height x width numbers.
///
/// Its proportions are kept and what is over is cut off around the middle; or, if `whole`, it is stretched.
func prepared(_ image: CGImage, _ how: Preprocessing, whole: Bool) throws -> [Float] {
    let (height, width) = whole ? (how.height, how.width) : covering(image, how)
    let across = along(try pixels(image), across: true, to: width, bicubic: how.bicubic)
    let fit = along(across, across: false, to: height, bicubic: how.bicubic)
    let top = Int((Double(height - how.height) / 2).rounded(.toNearestOrEven))
    let left = Int((Double(width - how.width) / 2).rounded(.toNearestOrEven))
    var values = [Float]()
    values.reserveCapacity(3 * how.height * how.width)
    for color in 0..<3 {
        for y in 0..<how.height {
            for x in 0..<how.width {
                let pixel = Float(fit.values[((top + y) * width + left + x) * 3 + color]) / 255
                values.append((pixel - how.mean[color]) / how.std[color])
            }
        }
    }
    return values
}

/// Height and width of the smallest picture of these proportions that covers what is cut out.
private func covering(_ image: CGImage, _ how: Preprocessing) -> (Int, Int) {
    let tall = Int((Double(how.height) / how.crop).rounded(.toNearestOrEven))
    let wide = Int((Double(how.width) / how.crop).rounded(.toNearestOrEven))
    let fits = image.width * tall <= image.height * wide
    return (fits ? wide * image.height / image.width : tall, fits ? wide : tall * image.width / image.height)
}

private func pixels(_ image: CGImage) throws -> Pixels {
    let (width, height) = (image.width, image.height)
    var packed = [UInt8](repeating: 0, count: 4 * width * height)
    let drawn = packed.withUnsafeMutableBytes { memory -> Bool in
        guard let context = CGContext(
            data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
            space: CGColorSpace(name: CGColorSpace.sRGB)!, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue
        ) else { return false }
        context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
        return true
    }
    guard drawn else { throw Failure("the picture cannot be drawn") }
    let values = (0..<3 * width * height).map { packed[$0 / 3 * 4 + $0 % 3] }
    return Pixels(width: width, height: height, values: values)
}

/// One axis resized to `to` pixels: the same sums as ../cpp/picture.cc.
private func along(_ from: Pixels, across: Bool, to: Int, bicubic: Bool) -> Pixels {
    let side = across ? from.width : from.height
    let lines = across ? from.height : from.width
    let scale = Double(side) / Double(to)
    let wide = max(scale, 1)
    let reach = (bicubic ? 2 : 1) * wide
    let outWidth = across ? to : from.width
    var out = Pixels(width: outWidth, height: across ? from.height : to, values: [UInt8](repeating: 0, count: lines * to * 3))
    for place in 0..<to {
        let center = (Double(place) + 0.5) * scale
        let first = max(0, Int(center - reach + 0.5))
        let end = min(side, Int(center + reach + 0.5))
        let weights = (first..<end).map { weight((Double($0) + 0.5 - center) / wide, bicubic: bicubic) }
        let sum = weights.reduce(0, +)
        for line in 0..<lines {
            for color in 0..<3 {
                var value = 0.0
                for i in first..<end {
                    let at = across ? line * from.width + i : i * from.width + line
                    value += weights[i - first] * Double(from.values[at * 3 + color])
                }
                let at = across ? line * to + place : place * outWidth + line
                out.values[at * 3 + color] = UInt8(min(255, max(0, (value / sum).rounded())))
            }
        }
    }
    return out
}

private func weight(_ distance: Double, bicubic: Bool) -> Double {
    let x = abs(distance)
    if !bicubic { return max(0, 1 - x) }
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    if x < 2 { return ((-0.5 * x + 2.5) * x - 4) * x + 2 }
    return 0
}
