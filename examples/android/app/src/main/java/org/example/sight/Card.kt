package org.example.sight

import java.io.File
import java.util.zip.ZipFile
import org.json.JSONArray
import org.json.JSONObject

/** What the network saw while it was trained: sizes in pixels, mean and std of colors from 0 to 1. */
class Preprocessing(facts: JSONObject) {
    val height = facts.getJSONArray("size").getInt(0)
    val width = facts.getJSONArray("size").getInt(1)
    val mean = facts.getJSONArray("mean").floats()
    val std = facts.getJSONArray("std").floats()
    val crop = facts.getDouble("crop")
    val bicubic = facts.getString("interpolation") == "bicubic"
}

/** What an exported file says of itself; boxes below the probability [sure] are not worth telling. */
class Card(
    val task: String,
    val labels: List<String>,
    val sure: Float,
    val preprocessing: Preprocessing,
    val pixels: Boolean,
    val probabilities: Boolean,
) {
    companion object {
        /** The card in a zip archive that stands behind the network. */
        fun of(file: File): Card = ZipFile(file).use { archive ->
            fun text(name: String) = archive.getInputStream(archive.getEntry(name)).bufferedReader().readText()
            val facts = JSONObject(text("metadata.json"))
            Card(facts.getString("task"), text("labels.txt").lines().filter { it.isNotEmpty() },
                 facts.optDouble("sure", 0.0).toFloat(), Preprocessing(facts.getJSONObject("preprocessing")),
                 facts.optString("takes") == "pixels", facts.optString("gives") == "probabilities")
        }
    }
}

private fun JSONArray.floats() = FloatArray(length()) { getDouble(it).toFloat() }
