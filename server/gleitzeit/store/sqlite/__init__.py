from gleitzeit.store.sqlite.store import SqliteStore as SqliteStore
