import javax.inject.Inject
import org.gradle.api.DefaultTask
import org.gradle.api.file.ConfigurableFileCollection
import org.gradle.api.file.DirectoryProperty
import org.gradle.api.file.FileSystemOperations
import org.gradle.api.tasks.InputFiles
import org.gradle.api.tasks.OutputDirectory
import org.gradle.api.tasks.TaskAction
import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "ai.coevoer.edge.app"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        applicationId = "ai.coevoer.edge.app"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = 1
        versionName = "0.1.0"
    }

    flavorDimensions += "camera"
    productFlavors {
        create("camerax") {
            dimension = "camera"
            isDefault = true
        }
        create("platform") { dimension = "camera" } // no AndroidX
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin {
    compilerOptions { jvmTarget = JvmTarget.JVM_17 }
}

/** Copies the bundles of gradle.properties completely into the app's assets: the installer checks every file. */
abstract class CopyBundles : DefaultTask() {
    @get:InputFiles abstract val bundle: ConfigurableFileCollection

    @get:InputFiles abstract val smallerBundle: ConfigurableFileCollection

    @get:OutputDirectory abstract val output: DirectoryProperty

    @get:Inject abstract val files: FileSystemOperations

    @TaskAction
    fun copy() {
        check(bundle.files.any { File(it, "SHA256SUMS").isFile }) {
            "no bundle at ${bundle.files}; run `python -m coevoer_edge.export --target executorch`, or set coevoer.bundle " +
                "in gradle.properties"
        }
        files.sync {
            into(output)
            from(bundle) { into("coevoer") }
            from(smallerBundle) { into("coevoer-smaller") }
        }
    }
}

val copyBundles = tasks.register<CopyBundles>("copyBundles") {
    fun folders(property: String) =
        listOfNotNull(providers.gradleProperty(property).orNull).filter { it.isNotBlank() }.map { rootProject.file(it) }
    bundle.from(folders("coevoer.bundle"))
    smallerBundle.from(folders("coevoer.smallerBundle"))
}

androidComponents {
    onVariants { it.sources.assets?.addGeneratedSourceDirectory(copyBundles, CopyBundles::output) }
}

dependencies {
    implementation(project(":coevoer"))
    "cameraxImplementation"(libs.activity)
    "cameraxImplementation"(libs.camera.camera2)
    "cameraxImplementation"(libs.camera.lifecycle)
    "cameraxImplementation"(libs.camera.view)
    testImplementation(libs.junit)
}
