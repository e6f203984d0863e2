"""Object detection: networks by name, boxes from masks, and average precision for any choice among the surfaces."""
