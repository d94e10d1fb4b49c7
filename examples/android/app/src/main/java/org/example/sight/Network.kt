package org.example.sight

import android.graphics.Bitmap
import java.io.Closeable
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.Interpreter

/** An exported .tflite file in LiteRT. */
class Network(file: File) : Closeable {
    private val card = Card.of(file)
    private val task = TASKS[card.task] ?: error("there is no task ${card.task}")
    private val interpreter = Interpreter(file, Interpreter.Options().setNumThreads(2))

    /** What it says of a photo. */
    fun look(photo: Bitmap): Answer {
        val output = interpreter.getOutputTensor(0)
        val said = ByteBuffer.allocateDirect(output.numBytes()).order(ByteOrder.nativeOrder())
        interpreter.run(prepared(photo, card.preprocessing, whole = task.whole, raw = card.pixels), said)
        said.rewind()
        val numbers = FloatArray(output.numElements()) { said.getFloat() }
        return task.read(numbers, output.shape(), card)
    }

    override fun close() = interpreter.close()
}
