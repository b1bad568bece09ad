// Loops compiled for several generations of x86-64 and chosen when the library is loaded.
#pragma once

#include <cstddef>

/// Before a function definition: the compiler emits it for AVX-512, AVX2 and the baseline, and the loader picks.
/// Whatever it calls must be inlined into it (LYAPLOCK_INLINE) to be compiled likewise. Needs indirect functions, hence
/// glibc; a sanitizer's own code would run in their resolvers before the sanitizer is ready. Elsewhere the baseline
/// serves (on ARM it holds NEON anyway).
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LYAPLOCK_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LYAPLOCK_VECTORISED
#endif

#define LYAPLOCK_INLINE inline __attribute__((always_inline))

/// On pointer parameters that do not overlap any other.
#define LYAPLOCK_RESTRICT __restrict__

/// Before a loop whose output may be one of its inputs ("in place"): element i of it is read before element i is
/// written, and never again, so the loop may vectorise. Without this, equal pointers take a slow path.
#if defined(__clang__)
#define LYAPLOCK_IN_PLACE _Pragma("clang loop vectorize(assume_safety)")
#else
#define LYAPLOCK_IN_PLACE _Pragma("GCC ivdep")
#endif

namespace lyaplock::cpu {

/// Numbers that the compiler keeps in one register: + - * work on all of them. Of AVX's size rather than AVX-512's,
/// because a type wider than the target's registers would live in memory. May be read from any float.
#if defined(__x86_64__)
inline constexpr std::size_t vector_width = 8;
#else
inline constexpr std::size_t vector_width = 4;
#endif
typedef float Vector __attribute__((vector_size(vector_width * sizeof(float)), aligned(alignof(float)), may_alias));

LYAPLOCK_INLINE const Vector& as_vector(const float* x) { return *reinterpret_cast<const Vector*>(x); }
LYAPLOCK_INLINE Vector& as_vector(float* x) { return *reinterpret_cast<Vector*>(x); }

}  // namespace lyaplock::cpu
