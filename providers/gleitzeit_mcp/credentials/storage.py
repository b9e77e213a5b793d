"""A login as the SDK's OAuth client sees it: loaded from its file, and written back with each new token."""

from __future__ import annotations

import anyio
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from gleitzeit_mcp.config import OAuth
from gleitzeit_mcp.credentials.tokens import Grant, TokenFile


class GrantStorage:
    """The SDK's `TokenStorage` over a `TokenFile`.

    The SDK keeps tokens and client alone, and so neither knows after a start when a token expires nor where it is
    refreshed; `restore` and `set_tokens` carry that along.
    """

    def __init__(self, file: TokenFile, oauth: OAuth) -> None:
        self.file = file
        self._fixed = fixed_client(oauth)
        self._registered: OAuthClientInformationFull | None = None
        self._tokens: OAuthToken | None = None
        self._provider: OAuthClientProvider | None = None

    def serve(self, provider: OAuthClientProvider) -> None:
        """Say whose state it is that is kept."""
        self._provider = provider

    async def restore(self) -> None:
        """Give the SDK what the file holds, where that is not what it has already."""
        assert self._provider is not None
        context = self._provider.context
        grant = await anyio.to_thread.run_sync(self.file.read)
        if grant.tokens is None or grant.tokens == context.current_tokens:
            return
        self._tokens, self._registered = grant.tokens, grant.client
        context.current_tokens, context.token_expiry_time = grant.tokens, grant.expires_at
        context.client_info = await self.get_client_info()
        context.oauth_metadata, context.auth_server_url = grant.issuer, grant.issuer_url
        context.protected_resource_metadata = grant.resource

    async def get_tokens(self) -> OAuthToken | None:
        """The tokens that were restored or set last."""
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep new tokens, with all that is needed to use and to refresh them after a start."""
        assert self._provider is not None
        context = self._provider.context
        self._tokens = tokens
        grant = Grant(
            url=context.server_url,
            tokens=tokens,
            expires_at=context.token_expiry_time,
            client=None if self._fixed else context.client_info,
            issuer=context.oauth_metadata,
            issuer_url=context.auth_server_url,
            resource=context.protected_resource_metadata,
        )
        with anyio.CancelScope(shield=True):  # the token that it was refreshed with may be good for nothing by now
            await anyio.to_thread.run_sync(self.file.write, grant)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The client of the settings, else the one that was registered."""
        return self._fixed or self._registered

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Remember a client that was registered; it is written with its first token."""
        self._registered = client_info


def is_document(client_id: str | None) -> bool:
    """Whether a client id is the URL of a document that describes the client."""
    return client_id is not None and client_id.startswith("https://")


def fixed_client(oauth: OAuth) -> OAuthClientInformationFull | None:
    """The client that the settings name, unless it describes itself or is registered when it is needed."""
    if oauth.client_id is None or is_document(oauth.client_id):
        return None
    return OAuthClientInformationFull(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        token_endpoint_auth_method="client_secret_basic" if oauth.client_secret else "none",
        issuer=oauth.issuer,
    )
