"""The pages in which finance staff work: rendered on the server, whole without JavaScript.

`install` adds them to an application whose pool is at ``recon.db.POOL``; `page_middlewares` turn
errors into pages. Staff are kept by `add_staff`, `list_staff` and `disable_staff`;
`create_sign_in_link` lets one of them in without a password, once; `Doors` says by which ways else
they come in.
"""

from recon.web.auth.doors import Doors
from recon.web.auth.links import create_sign_in_link
from recon.web.auth.oidc import Client, Provider, ProviderUnusable, unlink_staff
from recon.web.install import install
from recon.web.problem_pages import page_middlewares
from recon.web.roles import Role
from recon.web.staff import StaffMember, add_staff, disable_staff, list_staff

__all__ = [
    "Client",
    "Doors",
    "Provider",
    "ProviderUnusable",
    "Role",
    "StaffMember",
    "add_staff",
    "create_sign_in_link",
    "disable_staff",
    "install",
    "list_staff",
    "page_middlewares",
    "unlink_staff",
]
