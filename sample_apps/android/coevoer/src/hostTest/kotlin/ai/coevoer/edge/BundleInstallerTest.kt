package ai.coevoer.edge

import java.io.ByteArrayInputStream
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import java.nio.file.Files
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class BundleInstallerTest {
    private val root: File = Files.createTempDirectory("coevoer").toFile()
    private val folder = File(root, "files/coevoer")
    private var opened = ArrayList<String>()

    private fun source(change: (String, InputStream) -> InputStream = { _, stream -> stream }) = BundleSource { file ->
        opened += file
        if (!File(bundle, file).exists()) throw FileNotFoundException(file)
        change(file, File(bundle, file).inputStream())
    }

    private fun installer(source: BundleSource = source()) = BundleInstaller(source, folder)

    @After
    fun clean() {
        root.deleteRecursively()
    }

    private fun assertWhole() {
        for (file in bundle.listFiles()!!) assertEquals(file.name, sha256(file), sha256(File(folder, file.name)))
        assertEquals("nothing else lies about", listOf("coevoer"), folder.parentFile!!.list()!!.toList())
    }

    @Test
    fun aBundleIsInstalledOnceAndOpens() {
        assertEquals(folder, installer().install())
        assertWhole()
        open(folder = folder).close()
        opened.clear()
        installer().install()
        assertEquals("a whole copy is not copied again", listOf("SHA256SUMS"), opened)
    }

    @Test
    fun whatWasAlteredIsInstalledAgain() {
        installer().install()
        val damages = listOf<() -> Unit>(
            { File(folder, artifact.name).appendBytes(byteArrayOf(1)) },
            { File(folder, "manifest.json").delete() },
            { File(folder, "SHA256SUMS").writeText("") },
            { File(folder, "another").writeText("not listed") },
            { folder.deleteRecursively() },
            { folder.deleteRecursively(); folder.writeText("a file in its place") },
        )
        for (damage in damages) {
            damage()
            installer().install()
            assertWhole()
        }
    }

    @Test
    fun whatACrashLeftIsCleared() {
        File(root, "files/coevoer.new").mkdirs()
        File(root, "files/coevoer.new/half").writeText("of a file")
        File(root, "files/coevoer.old").mkdirs()
        installer().install()
        assertWhole()
    }

    @Test
    fun aBundleThatTheAppCarriesDamagedIsRefusedAndTheOldOneStays() {
        installer().install()
        File(folder, "MODEL_CARD.md").appendText("so that it has to be installed again")
        val before = sha256(File(folder, "MODEL_CARD.md"))
        val damaged = source { file, stream ->
            if (file != artifact.name) stream
            else stream.use { ByteArrayInputStream(it.readBytes().also { bytes -> bytes[99]++ }) }
        }
        assertRefused<CoEvoerException.Bundle>("${artifact.name} in the app does not match") { installer(damaged).install() }
        assertEquals(before, sha256(File(folder, "MODEL_CARD.md")))
        val full = source { file, stream ->
            if (file == "manifest.json") throw IOException("No space left on device") else stream
        }
        assertRefused<CoEvoerException.Bundle>("No space left on device") { installer(full).install() }
        assertEquals(listOf("coevoer"), folder.parentFile!!.list()!!.toList())
    }

    @Test
    fun anAppWithoutABundleAndNamesThatLeadOutOfTheFolderAreRefused() {
        assertRefused<CoEvoerException.Bundle>("contains no bundle") {
            installer { throw FileNotFoundException(it) }.install()
        }
        val digest = "0".repeat(64)
        for (line in listOf("$digest  ../evil", "$digest  a/../../evil", "$digest  /evil", "$digest evil", "short  evil"))
            assertRefused<CoEvoerException.Bundle>("has the line") {
                installer { line.byteInputStream() }.install()
            }
        assertFalse(File(root, "evil").exists())
        assertTrue(root.walk().none { it.name == "evil" })
    }
}
