package org.example.sight

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.ImageDecoder
import android.os.Bundle
import android.widget.Button
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts.GetContent
import java.io.File
import kotlin.concurrent.thread

/** A button that picks a photo, the photo, and what the network says of it. */
class MainActivity : ComponentActivity() {
    private lateinit var words: TextView
    private lateinit var picture: ImageView
    private var before: FloatArray? = null // the vector of the photo before
    private val network by lazy { Network(unpacked()) }
    private val pick = registerForActivityResult(GetContent()) { uri ->
        if (uri != null) thread {
            val source = ImageDecoder.createSource(contentResolver, uri)
            val photo = ImageDecoder.decodeBitmap(source) { decoder, _, _ ->
                decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE // so that its pixels can be read
            }
            val answer = network.look(photo)
            val lines = answer.lines + listOfNotNull(compared(answer))
            val drawn = photo.copy(Bitmap.Config.ARGB_8888, true).also { answer.draw(Canvas(it)) }
            runOnUiThread {
                words.text = lines.joinToString("\n")
                picture.setImageBitmap(drawn)
            }
        }
    }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        words = TextView(this).apply { textSize = 20f }
        picture = ImageView(this).apply { adjustViewBounds = true }
        val button = Button(this).apply {
            text = "Choose a photo"
            setOnClickListener { pick.launch("image/*") }
        }
        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            setPadding(48, 96, 48, 48)
            addView(button)
            addView(words)
            addView(picture)
        })
    }

    /** How alike this photo and the one before are, if the network gives vectors. */
    private fun compared(answer: Answer): String? {
        val (old, new) = before to answer.vector
        before = new
        return if (old == null || new == null) null else "%.3f like the photo before".format(likeness(old, new))
    }

    /** The network as a file: both LiteRT and the zip reader want one. */
    private fun unpacked(): File = File(filesDir, "network.tflite").also { file ->
        assets.open("network.tflite").use { from -> file.outputStream().use(from::copyTo) }
    }
}
