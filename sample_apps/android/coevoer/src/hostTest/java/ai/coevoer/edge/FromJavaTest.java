package ai.coevoer.edge;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;

import java.io.File;
import java.nio.ByteBuffer;
import org.junit.Test;

/** The API as Java sees it, and nulls, which Kotlin's types do not let through. */
public class FromJavaTest {
  private final File bundle = new File(System.getProperty("coevoer.bundle"));

  @Test
  public void detects() {
    try (BodyLandmarker landmarker = BodyLandmarker.createFromOptions(new BodyLandmarkerOptions(bundle))) {
      Frame frame = Frame.rgba(ByteBuffer.allocateDirect(4 * 64 * 48), 64, 48);
      BodyLandmarkerResult result = landmarker.detect(frame);
      assertEquals(2 * landmarker.getInfo().getJointNames().size(), result.getPerson().getJointsPx().length);
    }
  }

  @Test
  public void nullsAreExceptionsNotCrashes() {
    assertThrows(NullPointerException.class, () -> BodyLandmarker.createFromOptions(null));
    assertThrows(NullPointerException.class, () -> new BodyLandmarkerOptions(null));
    assertThrows(NullPointerException.class, () -> Frame.rgba(null, 64, 48));
    try (BodyLandmarker landmarker = BodyLandmarker.createFromOptions(new BodyLandmarkerOptions(bundle))) {
      assertThrows(NullPointerException.class, () -> landmarker.detect(null));
      assertThrows(NullPointerException.class, () -> landmarker.mesh(null, landmarker.newMeshBuffer()));
      assertThrows(NullPointerException.class, () -> landmarker.setPressure(null, false));
    }
  }

  /** A loader of Java may return null where Kotlin's says it cannot. */
  @Test
  public void aLoaderThatReturnsNullIsRefused() {
    NetworkLoader none = (artifact, image, outputs) -> null;
    BodyLandmarkerOptions options =
        new BodyLandmarkerOptions(bundle, null, RunningMode.IMAGE, true, null, null, none);
    assertThrows(CoEvoerException.Bundle.class, () -> BodyLandmarker.createFromOptions(options));
  }
}
