package androidx.camera.core.resolutionselector;

import android.util.Size;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
public final class ResolutionStrategy {
  public static final int FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER = 2;

  public ResolutionStrategy(Size boundSize, int fallbackRule) {}
}
