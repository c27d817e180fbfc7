package androidx.camera.core;

import androidx.camera.core.resolutionselector.ResolutionSelector;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public final class Preview extends UseCase {
  public interface SurfaceProvider {}

  public void setSurfaceProvider(SurfaceProvider provider) {}

  public static final class Builder {
    public Builder setResolutionSelector(ResolutionSelector selector) {
      return this;
    }

    public Preview build() {
      throw new RuntimeException("Stub!");
    }
  }
}
