package com.google.common.util.concurrent;

import java.util.concurrent.Executor;
import java.util.concurrent.Future;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
public interface ListenableFuture<V> extends Future<V> {
  void addListener(Runnable listener, Executor executor);
}
