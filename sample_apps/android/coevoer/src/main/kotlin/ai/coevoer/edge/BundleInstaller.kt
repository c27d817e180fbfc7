package ai.coevoer.edge

import android.content.Context
import java.io.File
import java.io.FileNotFoundException
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest

/** The place where an app contains its bundle. */
fun interface BundleSource {
    /** Opens one file of the bundle, for example `SHA256SUMS`. Throws [IOException] where there is none. */
    fun open(file: String): InputStream
}

/**
 * Copies a bundle to where the engine can map it, and checks its digests: a copy that matches `SHA256SUMS` is kept, and any
 * other is replaced, completely or not at all. This reads about 20 MB, so do not call it on the main thread.
 */
class BundleInstaller(private val source: BundleSource, private val folder: File) {
    /** From the app's assets: `assets/{asset}/SHA256SUMS` and the files it lists, to `filesDir/{asset}`. */
    constructor(context: Context, asset: String) :
        this(BundleSource { context.assets.open("$asset/$it") }, File(context.filesDir, asset))

    /** Returns the verified folder. Throws [CoEvoerException.Bundle], and then leaves the old copy in place. */
    fun install(): File = synchronized(lock) {
        val sums = try {
            source.open(SUMS).use { it.readBytes() }
        } catch (error: IOException) {
            val what = if (error is FileNotFoundException) "there is no $SUMS in it" else "${error.message}"
            throw CoEvoerException.Bundle(
                "The app contains no bundle ($what); put one that `python -m coevoer_edge.export --target executorch` " +
                    "wrote into its assets.",
                error,
            )
        }
        val digests = parse(String(sums, Charsets.UTF_8))
        val fresh = File(folder.path + ".new")
        val old = File(folder.path + ".old")
        delete(fresh)
        delete(old)
        if (isWhole(sums, digests)) return folder
        try {
            copy(fresh, sums, digests)
            if (folder.exists() && !folder.renameTo(old)) throw IOException("$folder cannot be replaced")
            if (!fresh.renameTo(folder)) {
                old.renameTo(folder)
                throw IOException("$folder cannot be written")
            }
        } catch (error: IOException) {
            throw CoEvoerException.Bundle("The bundle cannot be installed (${error.message}); free some storage.", error)
        } finally {
            delete(fresh)
            delete(old)
        }
        return folder
    }

    private fun isWhole(sums: ByteArray, digests: Map<String, String>): Boolean = try {
        File(folder, SUMS).readBytes().contentEquals(sums) &&
            folder.walk().filter { it.isFile }.count() == digests.size + 1 &&
            digests.all { (name, digest) -> File(folder, name).inputStream().use { digest(it, null) } == digest }
    } catch (_: IOException) {
        false
    }

    private fun copy(to: File, sums: ByteArray, digests: Map<String, String>) {
        for ((name, digest) in digests) {
            val file = File(to, name)
            file.parentFile?.mkdirs()
            val found = source.open(name).use { input -> write(file) { output -> digest(input, output) } }
            if (found != digest)
                throw CoEvoerException.Bundle(
                    "$name in the app does not match its $SUMS; put the bundle into the assets again, byte for byte.",
                )
        }
        write(File(to, SUMS)) { it.write(sums) }
    }

    /** Returns only when the file is on disk, so that a power cut leaves either the old bundle or the new one. */
    private fun <T> write(file: File, block: (FileOutputStream) -> T): T = FileOutputStream(file).use { output ->
        block(output).also { output.fd.sync() }
    }

    private fun digest(input: InputStream, copy: FileOutputStream?): String {
        val sha = MessageDigest.getInstance("SHA-256")
        val block = ByteArray(1 shl 16)
        while (true) {
            val count = input.read(block)
            if (count < 0) break
            sha.update(block, 0, count)
            copy?.write(block, 0, count)
        }
        return sha.digest().joinToString("") { "%02x".format(it) }
    }

    private fun parse(sums: String): Map<String, String> = sums.lineSequence().filter { it.isNotEmpty() }.associate {
        val match = LINE.matchEntire(it)
        val name = match?.groupValues?.get(2).orEmpty()
        if (match == null || name.split('/').any { part -> part.isEmpty() || part == "." || part == ".." })
            throw CoEvoerException.Bundle("The app's $SUMS has the line \"$it\"; export the bundle again.")
        name to match.groupValues[1]
    }

    private fun delete(file: File) {
        if (file.exists()) file.deleteRecursively()
    }

    private companion object {
        const val SUMS = "SHA256SUMS"
        val LINE = Regex("([0-9a-f]{64})  (.+)")
        val lock = Any()
    }
}
