"""Who may ask this peer for which certificate."""

from django.contrib.auth.hashers import check_password
from django.contrib.auth.hashers import make_password
from django.db import models


class Account(models.Model):
    """Someone who may sign in with basic authentication to request a certificate. It is not synced."""

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = []
    is_anonymous = False
    is_authenticated = True
    is_active = True

    username = models.CharField(max_length=100, unique=True)
    password = models.CharField(max_length=200)
    role = models.CharField(max_length=10, choices=[("admin", "admin"), ("learner", "learner")])
    user_id = models.CharField(max_length=32, blank=True)

    def set_password(self, password):
        self.password = make_password(password)

    def has_morango_certificate_scope_permission(self, scope_definition_id, scope_params):
        """An admin may have any scope, a learner only what is their own."""
        if self.role == "admin":
            return True
        return (
            bool(self.user_id)
            and scope_definition_id == "single-user"
            and scope_params.get("user_id") == self.user_id
        )


class AccountBackend:
    """Looks an account up by name and password. Further user arguments of a client are accepted and ignored."""

    def authenticate(self, request, username=None, password=None, **_further):
        account = Account.objects.filter(username=username).first()
        if account is not None and check_password(password, account.password):
            return account
        return None

    def get_user(self, account_id):
        return Account.objects.filter(pk=account_id).first()
