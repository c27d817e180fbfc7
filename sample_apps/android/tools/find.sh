# Finds what build.sh needs in addition to the engine's tools (../cpp/tools/find.sh), or says what is missing.

# need FILE PACKAGE: fails unless FILE exists, and names the Debian package that contains it.
need() {
  [ -e "$1" ] || fail "no $1; apt install $2"
}

need_java() {
  command -v javac >/dev/null || fail "no javac; apt install openjdk-17-jdk-headless"
  for jar in junit4 hamcrest com.android.json; do
    need "/usr/share/java/$jar.jar" "junit4 libhamcrest-java libandroid-json-java"
  done
}

# Sets kotlin to the folder of the Kotlin compiler: KOTLIN_HOME, or the npm package of that name under $1.
find_kotlin() {
  kotlin=${KOTLIN_HOME:-$1/npm/node_modules/kotlin-compiler}
  [ -f "$kotlin/lib/kotlin-compiler.jar" ] && return
  command -v npm >/dev/null || fail "no Kotlin compiler; set KOTLIN_HOME to one, or apt install npm and it is fetched"
  mkdir -p "$1/npm"
  npm install --silent --no-fund --no-audit --prefix "$1/npm" kotlin-compiler@2.4.20 >"$1/npm.log" 2>&1 ||
    { cat "$1/npm.log"; fail "npm install kotlin-compiler failed"; }
}

# Sets android_jar to android.jar of API 23 and dx_jar to the dexer of that time: ANDROID_JAR and DX_JAR, installed, or
# taken from Debian 11's packages, which are unpacked under $1. (Debian 12 has neither; newer ones come with Google's
# SDK only.)
find_android() {
  android_jar=${ANDROID_JAR:-/usr/share/java/com.android.android-23.jar}
  dx_jar=${DX_JAR:-/usr/share/java/com.android.dx.jar}
  [ -f "$android_jar" ] && [ -f "$dx_jar" ] && return
  old=$1/debian11
  android_jar=$old/root/usr/share/java/com.android.android-23.jar
  dx_jar=$old/root/usr/share/java/com.android.dx.jar
  [ -f "$android_jar" ] && [ -f "$dx_jar" ] && return
  key=/usr/share/keyrings/debian-archive-keyring.gpg
  need "$key" debian-archive-keyring
  mkdir -p "$old/lists/partial" "$old/cache/archives/partial"
  echo "deb [signed-by=$key] ${DEBIAN_MIRROR:-http://deb.debian.org/debian} bullseye main" >"$old/sources.list"
  # It has its own lists and cache, so that the system's apt is not affected.
  old_apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$old/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::Lists="$old/lists" \
      -o Dir::Cache="$old/cache" -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 "$@"
  }
  (cd "$old" && old_apt update && old_apt download libandroid-23-java dalvik-exchange) >"$old/apt.log" 2>&1 ||
    { cat "$old/apt.log"; fail "Debian 11's libandroid-23-java and dalvik-exchange cannot be fetched; set ANDROID_JAR" \
      "and DX_JAR, or DEBIAN_MIRROR (http://archive.debian.org/debian keeps old releases)"; }
  for package in "$old"/*.deb; do dpkg -x "$package" "$old/root"; done
}

need_apk_tools() {
  for tool in aapt2 zipalign apksigner; do
    command -v $tool >/dev/null || fail "no $tool; apt install aapt zipalign apksigner"
  done
  need /usr/share/android-framework-res/framework-res.apk android-framework-res
}
