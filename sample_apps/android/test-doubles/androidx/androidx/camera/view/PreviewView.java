package androidx.camera.view;

import android.content.Context;
import android.widget.FrameLayout;
import androidx.camera.core.Preview;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public final class PreviewView extends FrameLayout {
  public enum ScaleType {
    FILL_CENTER
  }

  public PreviewView(Context context) {
    super(context);
  }

  public void setScaleType(ScaleType type) {}

  public ScaleType getScaleType() {
    throw new RuntimeException("Stub!");
  }

  public Preview.SurfaceProvider getSurfaceProvider() {
    throw new RuntimeException("Stub!");
  }
}
