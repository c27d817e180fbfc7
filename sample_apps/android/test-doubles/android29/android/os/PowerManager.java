package android.os;

/** The members of Android 10 that this project calls, for compilers whose android.jar is older. */
public final class PowerManager {
  public interface OnThermalStatusChangedListener {
    void onThermalStatusChanged(int status);
  }

  public void addThermalStatusListener(OnThermalStatusChangedListener listener) {
    throw new RuntimeException("Stub!");
  }

  public void removeThermalStatusListener(OnThermalStatusChangedListener listener) {
    throw new RuntimeException("Stub!");
  }
}
