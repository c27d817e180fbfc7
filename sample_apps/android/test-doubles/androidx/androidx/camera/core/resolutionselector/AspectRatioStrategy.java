package androidx.camera.core.resolutionselector;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
public final class AspectRatioStrategy {
  public static final int FALLBACK_RULE_AUTO = 1;

  public AspectRatioStrategy(int preferredAspectRatio, int fallbackRule) {}
}
