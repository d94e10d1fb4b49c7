package org.example.classify

import android.graphics.Bitmap
import java.io.Closeable
import java.io.File
import kotlin.math.exp
import org.tensorflow.lite.Interpreter

/** An exported .tflite file in LiteRT. */
class Classifier(file: File) : Closeable {
    private val card = Card.of(file)
    private val interpreter = Interpreter(file, Interpreter.Options().setNumThreads(2))

    /** Every label with its probability, the best first. */
    fun classify(photo: Bitmap): List<Pair<String, Float>> {
        val scores = Array(1) { FloatArray(card.labels.size) }
        interpreter.run(prepared(photo, card.preprocessing), scores)
        val most = scores[0].max()
        val shares = scores[0].map { exp(it - most) }
        return card.labels.zip(shares.map { it / shares.sum() }).sortedByDescending { it.second }
    }

    override fun close() = interpreter.close()
}
