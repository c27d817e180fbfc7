/// <reference types="vite/client" />

/** Folder of ONNX Runtime's files, from the build. */
declare const __RUNTIME_FOLDER__: string;
