from pathlib import Path

from setuptools import find_packages, setup

FILES = "converse_basicsr.options.files"  # the option files, which the command copies for users without a checkout

setup(
    name="converse_basicsr",
    version="0.1.0",
    description="Reverse convolution (Converse2D) and the Converse networks as a plugin of BasicSR",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[*find_packages(include=["converse_basicsr", "converse_basicsr.*"]), FILES],
    package_dir={FILES: "options"},
    package_data={
        "converse_basicsr.benchmark.reporting": ["templates/*"],
        "converse_basicsr.restoration": ["memory.json"],
        FILES: ["*.yml", "*.json", "*/*"],
    },
    python_requires=">=3.10",
    install_requires=[
        "torch>=2.7",  # the oldest that the tests passed on
        "basicsr>=1.4.2; python_version < '3.13'",  # 1.4.2 does not build on later ones
        "filelock",
        "lmdb",
        "numpy",
        "opencv-python",
        "packaging",
        "pillow>=10.1",
        "platformdirs",
        "psutil",
        "pydantic>=2.7",
        "pydantic_core",
        "pyyaml",
        "requests",
        "safetensors>=0.4",
        "scikit-image>=0.20",
        "scipy",
        "tifffile",
        "tqdm",
    ],
    extras_require={
        "benchmark": ["jinja2", "matplotlib>=3.8"],
        "fft": ["ducc0>=0.36"],
        "onnx": ["onnx>=1.17", "onnxruntime>=1.20", "onnxscript>=0.5"],
        "spandrel": ["spandrel>=0.4.1"],
        "dev": [
            "mmengine>=0.10",
            "pytest>=8",
            "ruff>=0.14",
            "triton>=3.3; platform_system == 'Linux' and platform_machine == 'x86_64'",
        ],
    },
    entry_points={
        "console_scripts": [
            "basicsr = converse_basicsr.cli:main",
            "converse-basicsr = converse_basicsr.cli:main",
        ]
    },
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
