package androidx.camera.core.resolutionselector;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public final class AspectRatioStrategy {
  public static final int FALLBACK_RULE_AUTO = 1;

  public AspectRatioStrategy(int preferredAspectRatio, int fallbackRule) {}
}
