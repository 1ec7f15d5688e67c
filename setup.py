import gzip
import os
import re
import tarfile
import time
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.sdist import sdist

FILES = "converse_basicsr.options.files"  # the option files, which the command copies for users without a checkout
EXTRAS = {
    "train": [  # and what else reads or makes data sets: test, benchmark, reproduce, data
        "basicsr>=1.4.2; python_version < '3.13'",  # 1.4.2 does not build on later ones
        "lmdb",
        "packaging",
        "pydantic>=2.7",
        "pydantic_core",
        "scikit-image>=0.20",
        "scipy",
    ],
    "benchmark": ["jinja2", "matplotlib>=3.8"],
    "fft": ["ducc0>=0.36"],
    "mmengine": ["mmengine>=0.10"],
    "onnx": ["onnx>=1.17", "onnxruntime>=1.20", "onnxscript>=0.5"],
    "spandrel": ["spandrel>=0.4.1"],
}


class ReproducibleSdist(sdist):
    """The same files give the same bytes: times are SOURCE_DATE_EPOCH, owner and permissions are left out."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
        archive = Path(f"{base_name}.tar.gz")
        archive.parent.mkdir(parents=True, exist_ok=True)
        with (
            archive.open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=seconds) as compressed,
            tarfile.open(fileobj=compressed, mode="w") as tar,
        ):
            for path in sorted(path for path in Path(base_dir).rglob("*") if path.is_file()):
                entry = tarfile.TarInfo(path.as_posix())
                entry.size, entry.mtime = path.stat().st_size, seconds
                with path.open("rb") as content:
                    tar.addfile(entry, content)
        return str(archive)


setup(
    name="converse_basicsr",
    version=re.search(r'__version__ = "(.+)"', Path("converse_basicsr/__init__.py").read_text(encoding="utf-8"))[1],
    description="Reverse convolution (Converse2D) and the Converse networks as a plugin of BasicSR",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[*find_packages(include=["converse_basicsr", "converse_basicsr.*"]), FILES],
    package_dir={FILES: "options"},
    package_data={
        "converse_basicsr.benchmark.reporting": ["templates/*"],
        "converse_basicsr.page": ["static/*"],
        "converse_basicsr.restoration": ["memory.json"],
        FILES: ["*.yml", "*.json", "*/*"],
    },
    python_requires=">=3.10",
    install_requires=[  # what restoring pictures, weights, layers and networks need
        "torch>=2.7",  # the oldest that the tests passed on
        "filelock",
        "numpy",
        "opencv-python",
        "pillow>=10.1",
        "platformdirs",
        "psutil",
        "pyyaml",
        "requests",
        "safetensors>=0.4",
        "tifffile",
        "tqdm",
    ],
    extras_require={
        **EXTRAS,
        "bm3d": ["bm3d>=4.0"],  # for non-commercial use only, so not in all
        "all": [line for lines in EXTRAS.values() for line in lines],
        "dev": [
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
    cmdclass={"sdist": ReproducibleSdist},
)
