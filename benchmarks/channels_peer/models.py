from django.db import models


class Event(models.Model):  # noqa: DJ008
    run = models.CharField(max_length=64, db_index=True)
    seq = models.IntegerField()
    data = models.JSONField()
