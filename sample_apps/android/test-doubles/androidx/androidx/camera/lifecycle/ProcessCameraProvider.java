package androidx.camera.lifecycle;

import android.content.Context;
import androidx.camera.core.Camera;
import androidx.camera.core.CameraInfoUnavailableException;
import androidx.camera.core.CameraSelector;
import androidx.camera.core.UseCase;
import androidx.lifecycle.LifecycleOwner;
import com.google.common.util.concurrent.ListenableFuture;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public final class ProcessCameraProvider {
  public static ListenableFuture<ProcessCameraProvider> getInstance(Context context) {
    throw new RuntimeException("Stub!");
  }

  public boolean hasCamera(CameraSelector selector) throws CameraInfoUnavailableException {
    throw new RuntimeException("Stub!");
  }

  public Camera bindToLifecycle(LifecycleOwner owner, CameraSelector selector, UseCase... useCases) {
    throw new RuntimeException("Stub!");
  }

  public void unbindAll() {}
}
