"""Downloads: answers of web servers, and files that are fetched whole or not at all."""
