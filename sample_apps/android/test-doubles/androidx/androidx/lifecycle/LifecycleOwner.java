package androidx.lifecycle;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
public interface LifecycleOwner {}
