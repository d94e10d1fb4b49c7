package org.example.sight

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import kotlin.math.exp
import kotlin.math.roundToInt
import kotlin.math.sqrt

/** What a network says: lines to read, what to draw over the photo, and the vector if it gives one. */
class Answer(val lines: List<String>, val draw: (Canvas) -> Unit = {}, val vector: FloatArray? = null)

/** What the numbers of a file's output mean; with [whole] the photo is stretched, so that no place in it is lost. */
class Task(val whole: Boolean, val read: (numbers: FloatArray, shape: IntArray, card: Card) -> Answer)

val TASKS = mapOf(
    "classify" to Task(whole = false, ::labels),
    "detect" to Task(whole = true, ::boxes),
    "segment" to Task(whole = true, ::mask),
    "embed" to Task(whole = false, ::vector),
)

/** Scores of each class, or probabilities, (1, classes). */
private fun labels(scores: FloatArray, shape: IntArray, card: Card): Answer {
    val most = scores.max()
    val powers = scores.map { if (card.probabilities) it else exp(it - most) }
    val best = card.labels.zip(powers.map { it / powers.sum() }).sortedByDescending { it.second }
    return Answer(best.take(5).map { (label, share) -> "%.3f  %s".format(share, label) })
}

/** Rows of left, top, right, bottom (fractions of the photo), probability and class, (1, boxes, 6). */
private fun boxes(numbers: FloatArray, shape: IntArray, card: Card): Answer {
    val rows = numbers.toList().chunked(6).filter { it[4] > card.sure }.sortedByDescending { it[4] }
    val lines = rows.map { "%.3f  %s".format(it[4], card.labels[it[5].roundToInt()]) }
    return Answer(lines, { canvas ->
        val pen = Paint().apply { style = Paint.Style.STROKE; strokeWidth = canvas.width / 200f; color = Color.MAGENTA }
        for ((left, top, right, bottom) in rows) {
            canvas.drawRect(left * canvas.width, top * canvas.height, right * canvas.width, bottom * canvas.height, pen)
        }
    })
}

/** The class of each pixel, (1, height, width); class 0 is the background. */
private fun mask(classes: FloatArray, shape: IntArray, card: Card): Answer {
    require(shape.size == 3) { "export the file with --mask-size input" }
    val (height, width) = shape[1] to shape[2]
    val counts = classes.groupingBy { it.roundToInt() }.eachCount().toList().sortedByDescending { it.second }
    val lines = counts.map { (place, count) -> "%.1f %%  %s".format(100f * count / classes.size, card.labels[place]) }
    val colors = IntArray(classes.size) {
        val place = classes[it].roundToInt()
        if (place == 0) Color.TRANSPARENT else Color.HSVToColor(140, floatArrayOf(place * 47f % 360, 1f, 1f))
    }
    val over = Bitmap.createBitmap(colors, width, height, Bitmap.Config.ARGB_8888)
    return Answer(lines, { canvas -> canvas.drawBitmap(over, null, canvas.clipBounds, null) })
}

/** A vector of length 1, (1, numbers): two photos are as alike as the product of theirs. */
private fun vector(numbers: FloatArray, shape: IntArray, card: Card) =
    Answer(listOf("a vector of ${numbers.size} numbers"), vector = numbers)

/** How alike two vectors are, -1 to 1. */
fun likeness(one: FloatArray, other: FloatArray): Float {
    fun product(a: FloatArray, b: FloatArray) = a.indices.sumOf { (a[it] * b[it]).toDouble() }
    return (product(one, other) / sqrt(product(one, one) * product(other, other))).toFloat()
}
