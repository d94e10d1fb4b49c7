package org.example.classify

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

/** What an exported file says of itself: a zip archive stands behind the network. */
class Card(val labels: List<String>, val preprocessing: Preprocessing) {
    companion object {
        fun of(file: File): Card = ZipFile(file).use { archive ->
            fun text(name: String) = archive.getInputStream(archive.getEntry(name)).bufferedReader().readText()
            Card(text("labels.txt").lines().filter { it.isNotEmpty() },
                 Preprocessing(JSONObject(text("metadata.json")).getJSONObject("preprocessing")))
        }
    }
}

private fun JSONArray.floats() = FloatArray(length()) { getDouble(it).toFloat() }
