package androidx.core.content;

import android.content.Context;
import java.util.concurrent.Executor;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
public class ContextCompat {
  public static Executor getMainExecutor(Context context) {
    throw new RuntimeException("Stub!");
  }
}
