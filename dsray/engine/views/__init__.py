"""Views: the passes of a step. A term says which it reads; each is computed once, when it is first asked for."""

from typing import Annotated

from dsray.base import one_of
from dsray.engine.views.adversarial import ADVERSARIAL, AdversarialView
from dsray.engine.views.averaged import AVERAGED, AveragedView
from dsray.engine.views.clean import CLEAN, CleanView
from dsray.engine.views.view import ViewConfig

AnyView = Annotated[ViewConfig, one_of(CleanView, AdversarialView, AveragedView)]

__all__ = ["ADVERSARIAL", "AVERAGED", "CLEAN", "AdversarialView", "AnyView", "AveragedView", "CleanView", "ViewConfig"]
