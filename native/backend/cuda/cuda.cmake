# The compiler and the libraries of CUDA 12 or 13: nvcc from the PATH or CUDACXX; cuBLAS and cuSOLVER from its toolkit, or
# from the Python packages nvidia-cublas and nvidia-cusolver (nvidia-cublas-cu12 and nvidia-cusolver-cu12), or from
# folders of one's own choice:
#
#   npm run build:cuda -- --CDLYAPLOCK_CUDA_FOLDERS="/opt/cublas;/opt/cusolver"     each with include/ and lib/

set(LYAPLOCK_CUDA_FOLDERS "" CACHE STRING "Folders that hold include/ and lib/ of cuBLAS and cuSOLVER")

# Code for each generation that is told apart, and PTX of the last for those to come. CUDA 13 knows nothing before 7.5.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CHOOSE_ARCHITECTURES ON)
  set(CMAKE_CUDA_ARCHITECTURES 80) # until the compiler is known
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "CUDA ${CMAKE_CUDA_COMPILER_VERSION} is too old: lyaplock needs CUDA 12 or 13")
endif()
if(CHOOSE_ARCHITECTURES AND CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13)
  set(CMAKE_CUDA_ARCHITECTURES 70-real 80-real 90)
elseif(CHOOSE_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 90)
endif()

set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # older CMake does not know that nvcc has learnt it
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
endif()

get_filename_component(NVCC_FOLDER "${CMAKE_CUDA_COMPILER}" REALPATH)
get_filename_component(NVCC_FOLDER "${NVCC_FOLDER}/../.." ABSOLUTE)
find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_FOUND)
  execute_process(
    COMMAND ${Python3_EXECUTABLE} -c
      "import glob, sys; print(';'.join(f for p in sys.path for f in glob.glob(p + '/nvidia/*')))"
    OUTPUT_VARIABLE PYTHON_FOLDERS OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
set(CUDA_FOLDERS ${LYAPLOCK_CUDA_FOLDERS} ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}/.. ${NVCC_FOLDER}
  /usr/local/cuda /opt/cuda ${PYTHON_FOLDERS})

# Sets HEADERS and LIBRARY to where a library and its header are. Python's packages hold no link without a version.
function(find_cuda_library NAME HEADER)
  find_path(${NAME}_HEADERS ${HEADER} PATHS ${CUDA_FOLDERS} PATH_SUFFIXES include NO_DEFAULT_PATH)
  find_path(${NAME}_HEADERS ${HEADER})
  set(FOUND "")
  foreach(FOLDER ${CUDA_FOLDERS})
    file(GLOB CANDIDATES ${FOLDER}/lib64/lib${NAME}.so* ${FOLDER}/lib/lib${NAME}.so*)
    list(APPEND FOUND ${CANDIDATES})
  endforeach()
  if(FOUND)
    list(GET FOUND 0 ${NAME}_LIBRARY)
  else()
    find_library(${NAME}_LIBRARY ${NAME})
  endif()
  if(NOT ${NAME}_HEADERS OR NOT ${NAME}_LIBRARY)
    message(FATAL_ERROR "No ${NAME} was found: install CUDA's toolkit or the Python package nvidia-${NAME}, or name "
      "folders with include/ and lib/ in LYAPLOCK_CUDA_FOLDERS. Looked in: ${CUDA_FOLDERS}")
  endif()
  message(STATUS "${NAME}: ${${NAME}_LIBRARY}")
  set(HEADERS ${HEADERS} ${${NAME}_HEADERS} PARENT_SCOPE)
  set(LIBRARIES ${LIBRARIES} ${${NAME}_LIBRARY} PARENT_SCOPE)
endfunction()

set(HEADERS "")
set(LIBRARIES "")
find_cuda_library(cublas cublas_v2.h)
find_cuda_library(cusolver cusolverDn.h)
list(REMOVE_DUPLICATES HEADERS)

# The runtime is linked into the addon; it looks for the driver when it is first called.
function(add_cuda_to TARGET)
  target_compile_definitions(${TARGET} PRIVATE LYAPLOCK_CUDA)
  target_compile_options(${TARGET} PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:--extended-lambda;--expt-relaxed-constexpr;-diag-suppress=554;-Xcompiler=-Wall,-Wextra,-Wno-psabi>")
  target_include_directories(${TARGET} SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} ${HEADERS})
  target_link_libraries(${TARGET} PRIVATE ${LIBRARIES})
  set_target_properties(${TARGET} PROPERTIES
    CUDA_VISIBILITY_PRESET hidden CUDA_RUNTIME_LIBRARY Static LIBRARY_OUTPUT_DIRECTORY ${CMAKE_SOURCE_DIR}/build/Release)
endfunction()
