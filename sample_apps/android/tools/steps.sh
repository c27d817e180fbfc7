# The steps of build.sh. They use its variables: here, build, bundle, golden, kotlin, android_jar, dx_jar, executorch_dir.

java_jars=/usr/share/java/junit4.jar:/usr/share/java/hamcrest.jar:/usr/share/java/com.android.json.jar

# build_native NAME EXTRA...: builds the JNI library and the library of the tests.
build_native() {
  name=$1; shift
  echo "== native, $name"
  cmake -G Ninja -S "$here/coevoer/src/hostTest/cpp" -B "$build/$name" -Dexecutorch_DIR="$executorch_dir" \
    "$@" >"$build/$name.log" 2>&1 || { cat "$build/$name.log"; fail "cmake failed"; }
  cmake --build "$build/$name" >"$build/$name.log" 2>&1 || { cat "$build/$name.log"; fail "the build failed"; }
  if grep -q 'warning:' "$build/$name.log"; then cat "$build/$name.log"; fail "the compiler warns"; fi
}

sources() {
  find "$@" -name '*.kt'
}

kotlinc() {
  java -Xmx1g -cp "$kotlin/lib/kotlin-compiler.jar:$kotlin/lib/kotlin-stdlib.jar" \
    org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -kotlin-home "$kotlin" -no-reflect "$@" || fail "Kotlin does not compile"
}

# Compiles for Android: only against API 23, whatever the JDK contains, to bytecode that the old dexer reads, and with the
# language version of Gradle's Kotlin.
kotlinc_android() {
  kotlinc -no-jdk -jvm-target 1.8 -Xlambdas=class -Xsam-conversions=class -Xstring-concat=inline -Werror \
    -language-version "$language" -api-version "$language" "$@"
}

javac_android() {
  javac -Xlint:-options -source 8 -target 8 -bootclasspath "$android_jar" "$@" || fail "Java does not compile"
}

version_of() {
  sed -n "s/^$1 = \"\([^\"]*\)\".*/\1/p" "$here/gradle/libs.versions.toml"
}

compile_kotlin() {
  echo "== Kotlin"
  language=$(version_of kotlin | cut -d. -f1-2)
  c=$build/classes
  rm -rf "$c" "$build/generated"
  mkdir -p "$c" "$build/generated"
  doubles=$here/test-doubles
  mkdir "$c/android29" "$c/executorch" "$c/androidx" "$c/jvm"
  for double in android29 executorch androidx; do
    javac_android -d "$c/$double" $(find "$doubles/$double" -name '*.java')
  done
  javac -d "$c/jvm" $(find "$doubles/jvm" -name '*.java')
  kotlinc_android -cp "$c/android29:$c/executorch:$c/androidx:$android_jar" -d "$c/library" \
    $(sources "$here/coevoer/src/main")
  java_of_resources "$c/platform"
  # An app sees neither AndroidX nor the library's own dependencies.
  kotlinc_android -cp "$c/library:$c/platform:$android_jar" -d "$c/platform" \
    $(sources "$here/app/src/main" "$here/app/src/platform")
  # The other flavour, against doubles of AndroidX. This shows only that it agrees with the doubles.
  kotlinc_android -cp "$c/library:$c/platform:$c/androidx:$android_jar" -d "$c/camerax" $(sources "$here/app/src/camerax")
  readme_snippet >"$build/generated/Snippet.kt"
  kotlinc -jvm-target 17 -Xfriend-paths="$c/library,$c/platform" \
    -cp "$c/library:$c/platform:$c/jvm:$c/executorch:$java_jars:$android_jar" -d "$c/tests" "$build/generated/Snippet.kt" \
    $(sources "$here/coevoer/src/hostTest" "$here/app/src/test" "$here/app/src/hostTest")
  javac -d "$c/tests" -cp "$c/library:$c/tests:$kotlin/lib/kotlin-stdlib.jar:$java_jars" \
    $(find "$here/coevoer/src/hostTest" -name '*.java')
}

# The lines of README.md for a picture, in two functions. All of them are compiled, and all but the first are run: the
# first needs a Context, which does not exist on a JVM.
readme_snippet() {
  lines=$build/generated/readme
  sed -n '1,/^```kotlin/d;/^```$/q;p' "$here/README.md" >"$lines"
  grep -q BundleInstaller "$lines" || fail "README.md does not begin its Kotlin with BundleInstaller any more"
  echo 'package ai.coevoer.edge'
  echo 'fun readmeInstalls(context: android.content.Context): java.io.File {'
  grep BundleInstaller "$lines"
  echo 'return bundle }'
  echo 'fun readmeDetects(bundle: java.io.File, bitmap: android.graphics.Bitmap): Person {'
  grep -v BundleInstaller "$lines"
  echo 'return person }'
}

# Compiles the app's R.java into $1. Gradle's files contain the package and the SDK versions, which aapt2 does not read.
java_of_resources() {
  need_apk_tools
  mkdir -p "$build/apk"
  aapt2 compile --dir "$here/app/src/main/res" -o "$build/apk/resources.zip"
  package=$(sed -n 's/.*namespace = "\(.*\)"/\1/p' "$here/app/build.gradle.kts")
  sed "s|<manifest |<manifest package=\"$package\" |" "$here/app/src/main/AndroidManifest.xml" \
    >"$build/apk/AndroidManifest.xml"
  aapt2 link -I /usr/share/android-framework-res/framework-res.apk --manifest "$build/apk/AndroidManifest.xml" \
    --min-sdk-version "$(version_of minSdk)" --target-sdk-version "$(version_of targetSdk)" \
    --version-code "$(sed -n 's/.*versionCode = \(.*\)/\1/p' "$here/app/build.gradle.kts")" \
    --version-name "$(sed -n 's/.*versionName = "\(.*\)"/\1/p' "$here/app/build.gradle.kts")" \
    -A "$here/app/src/main/assets" --java "$build/generated" -o "$build/apk/resources.apk" "$build/apk/resources.zip" ||
    fail "aapt2 does not link the resources"
  javac_android -d "$1" $(find "$build/generated" -name R.java)
}

check_shaders() {
  for shader in "$here"/app/src/main/assets/shaders/*; do
    glslangValidator "$shader" >"$build/shader.log" || { cat "$build/shader.log"; fail "$shader does not compile"; }
  done
}

# run_tests NAME VARIABLE=VALUE...: runs every test class with the native libraries of that build in that environment.
run_tests() {
  name=$1; shift
  c=$build/classes
  tests=$(cd "$c/tests" && find . -name '*Test.class' | sed 's|^\./||; s|\.class$||; s|/|.|g' | sort)
  env "$@" java -Xcheck:jni -Djava.library.path="$build/$name:$build/$name/library" -Dcoevoer.bundle="$bundle" \
    -Dcoevoer.golden="$golden" -Dcoevoer.cli="$build/release/library/engine/cli/coevoer" \
    -Dcoevoer.photo="$here/../../tests/data/astronaut.jpg" \
    -cp "$c/library:$c/platform:$c/tests:$c/jvm:$c/executorch:$kotlin/lib/kotlin-stdlib.jar:$java_jars:$android_jar" \
    org.junit.runner.JUnitCore $tests >"$build/$name.tests" 2>"$build/$name.stderr" || {
    grep -v '^	at ' "$build/$name.tests"
    tail -40 "$build/$name.stderr"
    fail "tests failed; $build/$name.tests has all of it"
  }
  # The findings of -Xcheck:jni and ASan alone do not make the tests fail.
  said='FATAL ERROR in native|WARNING in native|JNI local refs|AddressSanitizer'
  if grep -E "$said" "$build/$name.tests" "$build/$name.stderr"; then fail "the JNI layer breaks a rule"; fi
  sed -n 's/^\.*\([A-Za-z].*: .*\)/\1/p; /^OK/p' "$build/$name.tests"
}

assemble_apk() {
  echo "== APK, without AndroidX"
  a=$build/apk
  rm -rf "$a/dex" "$a/assets"
  mkdir -p "$a/dex/stdlib" "$a/assets/coevoer"
  (cd "$a/dex/stdlib" && jar xf "$kotlin/lib/kotlin-stdlib.jar" && rm -rf META-INF)
  java -Xmx1g -cp "$dx_jar" com.android.dx.command.Main --dex --min-sdk-version="$(version_of minSdk)" \
    --output="$a/dex/classes.dex" "$build/classes/library" "$build/classes/platform" "$a/dex/stdlib" ||
    fail "the dexer refuses a class"
  cp "$bundle"/* "$a/assets/coevoer/"
  cp "$a/resources.apk" "$a/unaligned.apk"
  jar uf "$a/unaligned.apk" -C "$a/dex" classes.dex -C "$a" assets
  zipalign -f -p 4 "$a/unaligned.apk" "$a/aligned.apk"
  key=$a/throw-away.keystore
  [ -f "$key" ] || keytool -genkeypair -keystore "$key" -storepass android -alias key -keyalg RSA -keysize 2048 \
    -validity 36500 -dname CN=throw-away >"$a/keytool.log" 2>&1 || { cat "$a/keytool.log"; fail "no key could be made"; }
  apk=$build/coevoer-platform.apk
  apksigner sign --ks "$key" --ks-pass pass:android --min-sdk-version "$(version_of minSdk)" --out "$apk" "$a/aligned.apk" ||
    fail "the APK cannot be signed"
  zipalign -c -p 4 "$apk" || fail "the APK is not aligned"
  apksigner verify --min-sdk-version "$(version_of minSdk)" "$apk" || fail "the APK's signature does not verify"
  check_apk
}

# Checks the APK's contents: the bundle byte for byte, the activity that the manifest names, and no need for AndroidX.
check_apk() {
  rm -rf "$a/inside"
  mkdir "$a/inside"
  (cd "$a/inside" && jar xf "$apk")
  (cd "$a/inside/assets/coevoer" && sha256sum --quiet -c SHA256SUMS) || fail "the bundle in the APK was altered"
  # Android 11 and newer do not install an APK in which this file is compressed.
  "${PYTHON:-python3}" -c 'import sys, zipfile; sys.exit(zipfile.ZipFile(sys.argv[1]).getinfo("resources.arsc").compress_type)' \
    "$apk" || fail "resources.arsc in the APK is compressed"
  aapt2 dump badging "$apk" >"$a/badging"
  grep -q "launchable-activity: name='ai.coevoer.edge.app.MainActivity'" "$a/badging" || fail "the APK has no activity"
  # Only CameraXFrames may name AndroidX, and an app without CameraX never loads it.
  others=$(strings -n 8 "$a/inside/classes.dex" | grep -o 'Landroidx/[A-Za-z/]*' |
    grep -v '^Landroidx/camera/core/Image' || true)
  [ -z "$others" ] || fail "the APK without AndroidX needs: $others"
}
