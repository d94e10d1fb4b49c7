package org.example.sight

import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min
import kotlin.math.rint

/** Colors of a picture, 0 to 255, row by row. */
private class Pixels(val width: Int, val height: Int, val values: IntArray)

/**
 * The photo resized with antialiasing and normalized; 1 x height x width x 3 floats, or bytes as they are if [raw].
 * Its proportions are kept and what is over is cut off around the middle; or, with [whole], it is stretched.
 */
fun prepared(photo: Bitmap, how: Preprocessing, whole: Boolean, raw: Boolean): ByteBuffer {
    val (height, width) = if (whole) how.height to how.width else covering(photo, how)
    val fit = along(along(pixels(photo), true, width, how.bicubic), false, height, how.bicubic)
    val top = rint((height - how.height) / 2.0).toInt()
    val left = rint((width - how.width) / 2.0).toInt()
    val buffer = ByteBuffer.allocateDirect((if (raw) 1 else 4) * 3 * how.height * how.width).order(ByteOrder.nativeOrder())
    for (y in 0 until how.height) for (x in 0 until how.width) for (color in 0 until 3) {
        val pixel = fit.values[((top + y) * width + left + x) * 3 + color]
        if (raw) buffer.put(pixel.toByte()) else buffer.putFloat((pixel / 255f - how.mean[color]) / how.std[color])
    }
    buffer.rewind()
    return buffer
}

/** Height and width of the smallest picture of the photo's proportions that covers what is cut out. */
private fun covering(photo: Bitmap, how: Preprocessing): Pair<Int, Int> {
    val tall = rint(how.height / how.crop).toInt()
    val wide = rint(how.width / how.crop).toInt()
    val fits = photo.width.toLong() * tall <= photo.height.toLong() * wide
    val height = if (fits) (wide.toLong() * photo.height / photo.width).toInt() else tall
    val width = if (fits) wide else (tall.toLong() * photo.width / photo.height).toInt()
    return height to width
}

private fun pixels(photo: Bitmap): Pixels {
    val packed = IntArray(photo.width * photo.height)
    photo.getPixels(packed, 0, photo.width, 0, 0, photo.width, photo.height)
    return Pixels(photo.width, photo.height, IntArray(packed.size * 3) { packed[it / 3] shr (16 - 8 * (it % 3)) and 255 })
}

/** One axis resized to `to` pixels: the same sums as ../cpp/picture.cc. */
private fun along(from: Pixels, across: Boolean, to: Int, bicubic: Boolean): Pixels {
    val side = if (across) from.width else from.height
    val lines = if (across) from.height else from.width
    val scale = side.toDouble() / to
    val wide = max(scale, 1.0)
    val reach = (if (bicubic) 2 else 1) * wide
    val out = Pixels(if (across) to else from.width, if (across) from.height else to, IntArray(lines * to * 3))
    for (place in 0 until to) {
        val center = (place + 0.5) * scale
        val first = max(0, (center - reach + 0.5).toInt())
        val end = min(side, (center + reach + 0.5).toInt())
        val weights = DoubleArray(end - first) { weight((first + it + 0.5 - center) / wide, bicubic) }
        val sum = weights.sum()
        for (line in 0 until lines) for (color in 0 until 3) {
            var value = 0.0
            for (i in first until end) {
                val at = if (across) line * from.width + i else i * from.width + line
                value += weights[i - first] * from.values[at * 3 + color]
            }
            val at = if (across) line * to + place else place * out.width + line
            out.values[at * 3 + color] = min(255, max(0, Math.round(value / sum).toInt()))
        }
    }
    return out
}

private fun weight(distance: Double, bicubic: Boolean): Double {
    val x = abs(distance)
    return when {
        !bicubic -> max(0.0, 1 - x)
        x < 1 -> (1.5 * x - 2.5) * x * x + 1
        x < 2 -> ((-0.5 * x + 2.5) * x - 4) * x + 2
        else -> 0.0
    }
}
