package androidx.camera.core;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
public class AspectRatio {
  public static final int RATIO_4_3 = 0;
}
