import { addon } from "../../src/native/index.js";

/** The addon with CUDA is in use: on a GPU, or on test/cuda-emulation where LYAPLOCK_ADDON names such a build. */
export const onCuda = addon().device === "cuda";
/** Its GPU is an emulated one, whose calls can be made to fail. */
export const isEmulated = onCuda && addon().systemInfo().backend.startsWith("cuda (emulated");
