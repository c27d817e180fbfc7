package androidx.core.content;

import android.content.Context;
import java.util.concurrent.Executor;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public class ContextCompat {
  public static Executor getMainExecutor(Context context) {
    throw new RuntimeException("Stub!");
  }
}
