from setuptools import find_packages, setup

setup(name='hicmae_mm', version='0.1.0', packages=find_packages(include=['hicmae_mm*']))
