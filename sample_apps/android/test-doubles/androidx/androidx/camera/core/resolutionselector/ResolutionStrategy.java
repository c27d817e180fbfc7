package androidx.camera.core.resolutionselector;

import android.util.Size;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public final class ResolutionStrategy {
  public static final int FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER = 2;

  public ResolutionStrategy(Size boundSize, int fallbackRule) {}
}
