"""mlmonkey: the helper package under the scripts: metadata, schema, store, endpoint.

It knows no path of any project and imports nothing from `src`: what it needs is passed in.
"""

__version__ = "0.1.0"
