package org.pytorch.executorch;

/**
 * Replaces executorch-android's class on a Linux host: the members that this project calls, with the AAR's signatures
 * (extension/android of pytorch/executorch at 1.5), over the same C++ runtime from the wheel. It is not part of any app.
 */
public class Module {
  public static final int LOAD_MODE_MMAP = 1;

  private long handle;

  private Module(long handle) {
    this.handle = handle;
  }

  public static Module load(String modelPath, int loadMode) {
    return new Module(HostRuntime.load(modelPath, loadMode));
  }

  public static Module load(String modelPath) {
    return load(modelPath, 0);
  }

  public void loadMethod(String methodName) {
    HostRuntime.loadMethod(handle, methodName);
  }

  public synchronized EValue[] forward(EValue... inputs) {
    if (handle == 0) throw new IllegalStateException("Module has been destroyed");
    Tensor input = inputs[0].toTensor();
    Object[] outputs = HostRuntime.forward(handle, input.buffer, input.shape());
    EValue[] values = new EValue[outputs.length / 2];
    for (int i = 0; i < values.length; ++i)
      values[i] = EValue.from(new Tensor((float[]) outputs[2 * i], (long[]) outputs[2 * i + 1]));
    return values;
  }

  public synchronized void destroy() {
    if (handle != 0) HostRuntime.destroy(handle);
    handle = 0;
  }
}
