package com.google.common.util.concurrent;

import java.util.concurrent.Executor;
import java.util.concurrent.Future;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public interface ListenableFuture<V> extends Future<V> {
  void addListener(Runnable listener, Executor executor);
}
