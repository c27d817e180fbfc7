package androidx.camera.core.resolutionselector;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
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
