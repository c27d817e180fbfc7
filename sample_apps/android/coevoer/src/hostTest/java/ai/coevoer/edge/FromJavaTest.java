package ai.coevoer.edge;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;

import java.io.File;
import java.nio.ByteBuffer;
import org.junit.Test;

/** The API from Java, and null arguments, which Kotlin's types do not allow. */
public class FromJavaTest {
  private final File bundle = new File(System.getProperty("coevoer.bundle"));

  @Test
  public void detects() {
    try (Estimator estimator = Estimator.createFromOptions(new EstimatorOptions(bundle))) {
      Frame frame = Frame.rgba(ByteBuffer.allocateDirect(4 * 64 * 48), 64, 48);
      EstimatorResult result = estimator.detect(frame);
      assertEquals(2 * estimator.getInfo().getJointNames().size(), result.getPerson().getJointsPx().length);
    }
  }

  @Test
  public void nullsAreExceptionsNotCrashes() {
    assertThrows(NullPointerException.class, () -> Estimator.createFromOptions(null));
    assertThrows(NullPointerException.class, () -> new EstimatorOptions(null));
    assertThrows(NullPointerException.class, () -> Frame.rgba(null, 64, 48));
    try (Estimator estimator = Estimator.createFromOptions(new EstimatorOptions(bundle))) {
      assertThrows(NullPointerException.class, () -> estimator.detect(null));
      assertThrows(NullPointerException.class, () -> estimator.mesh(null, estimator.newMeshBuffer()));
      assertThrows(NullPointerException.class, () -> estimator.setPressure(null, false));
    }
  }

  /** A Java loader may return null, although Kotlin's type does not allow it. */
  @Test
  public void aLoaderThatReturnsNullIsRefused() {
    NetworkLoader none = (artifact, image, outputs) -> null;
    EstimatorOptions options =
        new EstimatorOptions(bundle, null, RunningMode.IMAGE, true, null, null, none);
    assertThrows(CoEvoerException.Bundle.class, () -> Estimator.createFromOptions(options));
  }
}
