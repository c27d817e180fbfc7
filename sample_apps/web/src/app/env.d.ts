/// <reference types="vite/client" />

/** The folder of ONNX Runtime's files, defined by the build. */
declare const __RUNTIME_FOLDER__: string;
