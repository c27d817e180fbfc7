package androidx.camera.core.resolutionselector;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public final class ResolutionSelector {
  public static final class Builder {
    public Builder setAspectRatioStrategy(AspectRatioStrategy strategy) {
      return this;
    }

    public Builder setResolutionStrategy(ResolutionStrategy strategy) {
      return this;
    }

    public ResolutionSelector build() {
      throw new RuntimeException("Stub!");
    }
  }
}
