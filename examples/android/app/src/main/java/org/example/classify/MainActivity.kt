package org.example.classify

import android.graphics.ImageDecoder
import android.os.Bundle
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts.GetContent
import java.io.File
import kotlin.concurrent.thread

/** A button that picks a photo, and what the network says of it. */
class MainActivity : ComponentActivity() {
    private lateinit var answer: TextView
    private val classifier by lazy { Classifier(unpacked()) }
    private val pick = registerForActivityResult(GetContent()) { uri ->
        if (uri != null) thread {
            val source = ImageDecoder.createSource(contentResolver, uri)
            val photo = ImageDecoder.decodeBitmap(source) { decoder, _, _ ->
                decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE // so that its pixels can be read
            }
            val best = classifier.classify(photo).take(5)
            runOnUiThread { answer.text = best.joinToString("\n") { (label, share) -> "%.3f  %s".format(share, label) } }
        }
    }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        answer = TextView(this).apply { textSize = 20f }
        val button = Button(this).apply {
            text = "Choose a photo"
            setOnClickListener { pick.launch("image/*") }
        }
        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            setPadding(48, 96, 48, 48)
            addView(button)
            addView(answer)
        })
    }

    /** The network as a file: both LiteRT and the zip reader want one. */
    private fun unpacked(): File = File(filesDir, "network.tflite").also { file ->
        assets.open("network.tflite").use { from -> file.outputStream().use(from::copyTo) }
    }
}
