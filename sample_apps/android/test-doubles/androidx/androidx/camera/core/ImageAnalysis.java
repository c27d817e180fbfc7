package androidx.camera.core;

import androidx.camera.core.resolutionselector.ResolutionSelector;
import java.util.concurrent.Executor;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public final class ImageAnalysis extends UseCase {
  public static final int STRATEGY_KEEP_ONLY_LATEST = 0;
  public static final int OUTPUT_IMAGE_FORMAT_YUV_420_888 = 1;

  public interface Analyzer {
    void analyze(ImageProxy image);
  }

  public void setAnalyzer(Executor executor, Analyzer analyzer) {}

  public void clearAnalyzer() {}

  public static final class Builder {
    public Builder setResolutionSelector(ResolutionSelector selector) {
      return this;
    }

    public Builder setBackpressureStrategy(int strategy) {
      return this;
    }

    public Builder setOutputImageFormat(int format) {
      return this;
    }

    public ImageAnalysis build() {
      throw new RuntimeException("Stub!");
    }
  }
}
