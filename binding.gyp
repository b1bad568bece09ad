# The addon for CPUs, build/Release/lyaplock.node. Built by scripts/native.mjs; CMakeLists.txt builds the same sources.
{
  'variables': {
    # In a checkout, a warning stops the build; in an installed package, a newer compiler must not.
    'warnings_are_errors%': '<!(node -p "Number(require(\'fs\').existsSync(\'.git\'))")',
  },
  'targets': [
    {
      'target_name': 'lyaplock',
      'sources': ['<!@(node scripts/native.mjs --print-sources)'],
      'include_dirs': ['native'],
      'defines': [
        'NAPI_VERSION=8',
        'NAPI_CPP_EXCEPTIONS',
        # A worker that is being terminated takes no exception any more; thrown past Node, it would end the process.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
      'cflags_cc': [
        '-std=c++20',
        '-fexceptions',
        '-fvisibility=hidden',
        # sqrt without errno, comparisons without traps: what vectorised loops need. NaN and infinities stay what they are.
        '-fno-math-errno',
        '-fno-trapping-math',
        '-Wall',
        '-Wextra',
        # The calls that this warns of are all inlined (vector types, native/backend/cpu/vector_target.h).
        '-Wno-psabi',
        '-isystem <!(node -p "require(\'path\').dirname(require.resolve(\'node-addon-api\'))")',
      ],
      'libraries': ['<!@(node scripts/blas.mjs)'],
      'conditions': [
        ['warnings_are_errors==1', {'cflags_cc': ['-Werror'], 'xcode_settings': {'GCC_TREAT_WARNINGS_AS_ERRORS': 'YES'}}],
        ['OS=="linux"', {
          # GCC 12 and 13 see overlap in std::string's own code (GCC bug 105651).
          'cflags_cc': ['-Wno-restrict'],
          'libraries': ['-ldl'],
        }],
        ['OS=="mac"', {
          'xcode_settings': {
            'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
            'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
            'GCC_ENABLE_CPP_RTTI': 'YES',
            'GCC_OPTIMIZATION_LEVEL': '3',
            'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
            'MACOSX_DEPLOYMENT_TARGET': '13.3',
            'OTHER_CPLUSPLUSFLAGS': [
              '-fno-math-errno',
              '-fno-trapping-math',
              '-Wall',
              '-Wextra',
              '-isystem <!(node -p "require(\'path\').dirname(require.resolve(\'node-addon-api\'))")',
            ],
          },
        }],
      ],
    },
  ],
}
